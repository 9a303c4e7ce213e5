declare const sealedBy: unique symbol

/**
 * Personal data in events and read models: text that only its organisation's key opens, as
 * `sealed:<key id>:<ciphertext>`. Whoever has destroyed the key has destroyed the text, wherever its copies are.
 * The first events ever written hold some of it as plain text; that stays legal to read.
 */
export type Sealed = string & { readonly [sealedBy]: 'sealed' }

const PREFIX = 'sealed:'

/** Whether a text is sealed, as against one of the old days. */
export const isSealed = (text: string): text is Sealed => text.startsWith(PREFIX)

/** What a reader gets in the place of a text whose key is destroyed. */
export const ERASED = '[erased]'

/** Seals and opens. The keys are elsewhere; nobody but this holds them. */
export type PersonalData = {
  /** @throws OrganisationErased when its key is destroyed: nothing about it may be written any more */
  readonly seal: (organisationId: string, text: string) => Promise<Sealed>
  /**
   * The texts in their order; what was never sealed comes back as it is, what cannot be opened any more as `ERASED`.
   */
  readonly open: (texts: readonly string[]) => Promise<readonly string[]>
}

/** The organisation's key is destroyed, and it is never given another. */
export class OrganisationErased extends Error {
  override readonly name = 'OrganisationErased'
}
