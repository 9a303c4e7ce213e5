import { createHmac, timingSafeEqual } from 'node:crypto'
import { CLASS, TYPE, canonical, encodeName, encodeRecord, nameInData, type Decoded } from './wire.ts'

/** A shared key of RFC 8945, used with hmac-sha256. */
export type TsigKey = { readonly name: string; readonly secret: Buffer }

const SECRET_BYTES_MIN = 16

/**
 * A key from its text form.
 *
 * @param secret in base64, at least 16 bytes
 * @throws when it is shorter, or no base64
 */
export const tsigKey = (name: string, secret: string): TsigKey => {
  const bytes = Buffer.from(secret, 'base64')
  if (bytes.length < SECRET_BYTES_MIN) throw new Error(`the key ${name} has less than ${SECRET_BYTES_MIN} bytes`)
  return { name, secret: bytes }
}

const ALGORITHM = 'hmac-sha256'
const FUDGE_SECONDS = 300
const COUNT_AT = 10

/** The error field of a signature (RFC 8945, section 3). */
export const TSIG_ERROR = { NONE: 0, BADSIG: 16, BADKEY: 17, BADTIME: 18 } as const

type Signature = {
  readonly keyName: string
  readonly algorithm: string
  /** 48 bits of seconds since 1970, then 16 bits of allowed difference, as they are in the message. */
  readonly timers: Buffer
  readonly seconds: number
  readonly fudgeSeconds: number
  readonly mac: Buffer
  readonly originalId: number
  readonly error: number
  readonly other: Buffer
}

type Variables = Pick<Signature, 'timers' | 'error' | 'other'>

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff])

const timersAt = (seconds: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeUIntBE(seconds, 0, 6)
  bytes.writeUInt16BE(FUDGE_SECONDS, 6)
  return bytes
}

const lengthAnd = (bytes: Buffer): Buffer => Buffer.concat([u16(bytes.length), bytes])

/** What is signed beside the message (RFC 8945, 4.3.3); for a later message of a transfer it is the time alone. */
const variables = (key: TsigKey, signature: Variables, timersOnly: boolean): Buffer =>
  timersOnly
    ? signature.timers
    : Buffer.concat([
        encodeName(canonical(key.name)),
        u16(CLASS.ANY),
        Buffer.alloc(4),
        encodeName(ALGORITHM),
        signature.timers,
        u16(signature.error),
        lengthAnd(signature.other),
      ])

const macOf = (key: TsigKey, ...parts: readonly Buffer[]): Buffer =>
  parts.reduce((hmac, part) => hmac.update(part), createHmac('sha256', key.secret)).digest()

/** In what a message is signed: after which other one, and whether as a later one of the same answer. */
export type Chain = { readonly priorMac?: Buffer; readonly timersOnly?: boolean; readonly error?: number }

/**
 * Adds a signature to a message.
 *
 * @param now seconds since 1970
 * @returns the signed message, and its signature for the messages that answer it or follow it
 */
export const sign = (
  message: Buffer,
  key: TsigKey,
  now: number,
  { priorMac, timersOnly = false, error = TSIG_ERROR.NONE }: Chain = {},
): { readonly signed: Buffer; readonly mac: Buffer } => {
  const timers = timersAt(now)
  // A clock that differs is told what time it is here (RFC 8945, 5.2.3).
  const other = error === TSIG_ERROR.BADTIME ? timers.subarray(0, 6) : Buffer.alloc(0)
  const before = priorMac === undefined ? [] : [lengthAnd(priorMac)]
  const mac = macOf(key, ...before, message, variables(key, { timers, error, other }, timersOnly))
  return { signed: attach(message, key.name, { timers, mac, error, other }), mac }
}

/** Adds a signature record without a signature: it only tells why the asker's was not accepted. */
export const refuse = (message: Buffer, keyName: string, now: number, error: number): Buffer =>
  attach(message, keyName, { timers: timersAt(now), mac: Buffer.alloc(0), error, other: Buffer.alloc(0) })

const attach = (
  message: Buffer,
  keyName: string,
  { timers, mac, error, other }: Pick<Signature, 'timers' | 'mac' | 'error' | 'other'>,
): Buffer => {
  const id = message.subarray(0, 2)
  const data = Buffer.concat([encodeName(ALGORITHM), timers, lengthAnd(mac), id, u16(error), lengthAnd(other)])
  const record = encodeRecord({ name: canonical(keyName), type: TYPE.TSIG, class: CLASS.ANY, ttlSeconds: 0, data })
  const signed = Buffer.concat([message, record])
  signed.writeUInt16BE(signed.readUInt16BE(COUNT_AT) + 1, COUNT_AT)
  return signed
}

const signatureOf = ({ additionals }: Decoded): Signature | undefined => {
  const record = additionals.at(-1)
  if (record?.type !== TYPE.TSIG) return undefined
  const { name: algorithm, end } = nameInData(record.data)
  const rest = record.data.subarray(end)
  if (rest.length < 16) return undefined
  const macLength = rest.readUInt16BE(8)
  const tail = rest.subarray(10 + macLength)
  if (tail.length < 6) return undefined
  return {
    keyName: canonical(record.name),
    algorithm: canonical(algorithm),
    timers: rest.subarray(0, 8),
    seconds: rest.readUIntBE(0, 6),
    fudgeSeconds: rest.readUInt16BE(6),
    mac: rest.subarray(10, 10 + macLength),
    originalId: tail.readUInt16BE(0),
    error: tail.readUInt16BE(2),
    other: tail.subarray(6),
  }
}

/** Whether a message may be believed. `error` is what an answer to it must say. */
export type Verdict =
  | { readonly trusted: true; readonly mac: Buffer }
  | { readonly trusted: false; readonly keyName: string | undefined; readonly error: number; readonly mac?: Buffer }

/**
 * Checks a message's signature.
 *
 * @param bytes the message as it came
 * @param now seconds since 1970
 */
export const verify = (bytes: Buffer, message: Decoded, key: TsigKey, now: number, chain: Chain = {}): Verdict => {
  const signature = signatureOf(message)
  if (signature === undefined) return { trusted: false, keyName: undefined, error: TSIG_ERROR.BADSIG }
  const { keyName, mac } = signature
  if (keyName !== canonical(key.name) || signature.algorithm !== ALGORITHM) {
    return { trusted: false, keyName, error: TSIG_ERROR.BADKEY }
  }
  const unsigned = Buffer.from(bytes.subarray(0, message.lastRecordAt))
  unsigned.writeUInt16BE(unsigned.readUInt16BE(COUNT_AT) - 1, COUNT_AT)
  unsigned.writeUInt16BE(signature.originalId, 0)
  const before = chain.priorMac === undefined ? [] : [lengthAnd(chain.priorMac)]
  const expected = macOf(key, ...before, unsigned, variables(key, signature, chain.timersOnly ?? false))
  if (mac.length !== expected.length || !timingSafeEqual(mac, expected)) {
    return { trusted: false, keyName, error: TSIG_ERROR.BADSIG }
  }
  // Only a signature that is right may say what time it is.
  if (Math.abs(now - signature.seconds) > signature.fudgeSeconds) {
    return { trusted: false, keyName, error: TSIG_ERROR.BADTIME, mac }
  }
  return { trusted: true, mac }
}
