export const PASSWORD_LENGTH_MIN = 12
export const PASSWORD_LENGTH_MAX = 128
const DISTINCT_MIN = 5

/** What people come up with when twelve characters are asked for; without case, digits at the end and signs. */
const COMMON: ReadonlySet<string> = new Set([
  'password', 'passwordpassword', 'passw0rd', 'mypassword', 'newpassword', 'thepassword', 'adminpassword', 'changeme',
  'changemenow', 'changemeplease', 'letmein', 'letmeinletmein', 'letmeinplease', 'welcome', 'welcomewelcome', 'welcomeback',
  'administrator', 'administrador', 'iloveyou', 'iloveyouiloveyou', 'iloveyousomuch', 'qwerty', 'qwertyqwerty', 'qwertyuiop',
  'qwertyuiopasdfghjkl', 'qwertyuiopasdfghjklzxcvbnm', 'asdfghjkl', 'asdfghjklasdfghjkl', 'zxcvbnm', 'azerty', 'azertyuiop',
  'qazwsxedc', 'qazwsxedcrfv', 'onetwothreefour', 'abcdefghijkl', 'abcdefghijklmnop', 'abcdefghijklmnopqrstuvwxyz',
  'abcabcabcabc',
  'correcthorsebatterystaple',
  'trustno', 'trustnoone', 'sunshine', 'princess', 'footballfootball', 'baseballbaseball',
  'superman', 'supersecret', 'topsecret', 'secretsecret', 'mysecretpassword', 'testtesttest', 'testpassword', 'databasepassword',
  'postgrespostgres', 'rootrootroot', 'adminadminadmin', 'useruseruser', 'defaultpassword', 'temporarypassword', 'opensesame',
])

/** What a password comes down to once digits and signs at its ends, and signs between, are left out. */
const core = (password: string): string =>
  password.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '').replace(/^\p{N}+/u, '').replace(/\p{N}+$/u, '')

const isRun = (password: string): boolean => {
  const codes = Array.from(password, (char) => char.codePointAt(0) ?? 0)
  const steps = new Set(codes.slice(1).map((code, n) => code - (codes[n] ?? 0)))
  return steps.size === 1
}

const bare = (text: string): string => text.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '')

/** Whether it says little more than the login, or the login's name, forwards or backwards. */
const tellsLogin = (password: string, login: string): boolean => {
  const names = [bare(login), bare(login.split('@')[0] ?? '')].filter((name) => name.length >= 4)
  const given = bare(password)
  return names.some((name) => {
    const backwards = Array.from(name).toReversed().join('')
    const rest = given.replaceAll(name, '').replaceAll(backwards, '')
    return rest.length < given.length && rest.replaceAll(/\p{N}/gu, '').length < 6
  })
}

/**
 * What is wrong with a password that somebody chooses; undefined when nothing is. Length counts, and not being on
 * everyone's list; no kind of character is demanded (NIST SP 800-63B, section 5.1.1.2).
 *
 * @param login whose it is to be
 */
export const passwordFault = (password: string, login: string): string | undefined => {
  const chosen = password.normalize('NFC')
  const { length } = Array.from(chosen)
  if (length < PASSWORD_LENGTH_MIN || length > PASSWORD_LENGTH_MAX) {
    return `a password has ${PASSWORD_LENGTH_MIN} to ${PASSWORD_LENGTH_MAX} characters`
  }
  if (tellsLogin(chosen, login)) return 'a password must not be made of the login'
  if (new Set(chosen).size < DISTINCT_MIN || isRun(chosen)) return 'a password must not be one character or one run over and over'
  const left = core(chosen)
  // What has no letters is a date, a number, or the row above them.
  const isBare = left === '' && /^[\x20-\x7e]*$/.test(chosen)
  if (COMMON.has(left) || isBare) return 'this password is among the first that anyone would try'
  return undefined
}
