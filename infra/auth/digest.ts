import { createHash, randomBytes } from 'node:crypto'

const TOKEN_BYTES = 32

/** A token that nobody guesses, in 43 characters. */
export const newToken = (): string => randomBytes(TOKEN_BYTES).toString('base64url')

/** What a token looks like. */
export const TOKEN = /^[A-Za-z0-9_-]{43}$/

/** SHA-256. A token is random, so a plain hash of it cannot be turned back. */
export const tokenHash = (token: string): Buffer => createHash('sha256').update(token).digest()

/** SHA-256 of several parts; `['a', 'b']` and `['a,b']` differ. */
export const keyOf = (...parts: readonly string[]): Buffer => createHash('sha256').update(JSON.stringify(parts)).digest()
