import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { passwordFault } from '../../domain/account/password-rules.ts'

const test = suite('a password that somebody chooses')

const LOGIN = 'ada.lovelace@example.com'
const faultOf = (password: string) => passwordFault(password, LOGIN)

test('has twelve to 128 characters, as people count them', () => {
  assert.match(faultOf('elevenchars') ?? '', '12 to 128')
  assert.is(faultOf('twelve chars'), undefined)
  assert.is(faultOf('zwölf Zeiche'), undefined)
  assert.is(faultOf('🐘🦊🐝🐙🦉🐋🦄🐢🐌🦎🐺🦀'), undefined)
  assert.match(faultOf('🐘🦊🐝🐙🦉🐋') ?? '', '12 to 128')
  assert.is(faultOf('tea spoon '.repeat(12)), undefined)
  assert.match(faultOf('tea spoon '.repeat(13)) ?? '', '12 to 128')
})

test('is not made of the login', () => {
  for (const password of [LOGIN, 'Ada.Lovelace1234', 'adalovelaceadalovelace', 'ecalevolada2026', 'ada-lovelace!!!!']) {
    assert.match(faultOf(password) ?? '', 'login', password)
  }
  assert.is(faultOf('what ada lovelace wrote to babbage'), undefined)
})

test('is none of those that anyone would try first', () => {
  const tried = [
    'password1234', 'Password1234!', 'p-a-s-s-w-o-r-d 2026', 'qwertyuiop123', 'ILoveYou123456', 'administrator',
    '2026welcome2026', '2026-11-23 19:35', '!"#$%&/()=?+*',
  ]
  for (const password of tried) assert.match(faultOf(password) ?? '', 'anyone', password)
})

test('is not one character or run over and over', () => {
  for (const password of ['aaaaaaaaaaaa', 'abababababab', '111122223333', 'cdefghijklmnop']) {
    assert.ok(faultOf(password), password)
  }
  assert.ok(faultOf('123456789012'))
})

test('may be a few words that have nothing to do with it', () => {
  for (const password of ['correct horse', 'battery staple', 'seven tired geese', 'x7#kQ2!mZp9$']) {
    assert.is(faultOf(password), undefined, password)
  }
})

test.run()
