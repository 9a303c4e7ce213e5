import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { normalisedSource } from '../../domain/datastore/source.ts'

const test = suite('a source of connections')

test('an address stands for itself alone, a range for all that is in it', () => {
  assert.is(normalisedSource('192.0.2.7'), '192.0.2.7/32')
  assert.is(normalisedSource(' 10.1.2.3/8 '), '10.0.0.0/8')
  assert.is(normalisedSource('0.0.0.0/0'), '0.0.0.0/0')
  assert.is(normalisedSource('2001:DB8::1'), '2001:db8:0:0:0:0:0:1/128')
  assert.is(normalisedSource('::/0'), '0:0:0:0:0:0:0:0/0')
})

test('all ways to write an address are the same', () => {
  const ways = ['fd00::102:304', 'FD00:0:0::1.2.3.4', 'fd00:0000:0:0:0:0:102:304/128']
  assert.equal(new Set(ways.map(normalisedSource)).size, 1)
  assert.is(normalisedSource('::ffff:192.0.2.7'), normalisedSource('192.0.2.7'))
})

test('anything else is none', () => {
  for (const text of [
    '', 'office', '192.0.2', '192.0.2.256', '192.0.2.07', '192.0.2.1/33', '192.0.2.1/', '192.0.2.1/08', '1.2.3.4/8/8',
    ':', ':::', '1::2::3',
    '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7::8', 'fe80::1%eth0', '12345::', '::/129', 'all', '0x7f.1',
  ]) assert.is(normalisedSource(text), undefined, text)
})

test.run()
