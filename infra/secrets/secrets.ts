/** Sealed values, referred to by id everywhere else. One data key per owner, wrapped by the master key. */
export type Secrets = {
  /** Opens the secret, made with `generate` when there is none yet. Racing callers all get the one that was kept. */
  readonly ensure: (secret: SecretRef, generate: () => Promise<string>) => Promise<string>
  readonly open: (secret: SecretRef) => Promise<string | undefined>
  readonly seal: (secret: SecretRef, value: string) => Promise<void>
  /** Destroys every secret about `subjectId`. */
  readonly destroySubject: (subjectId: string) => Promise<void>
  /** Destroys the owner's data key: whatever was sealed under it can never be opened again, and nothing more is sealed. */
  readonly destroyOwner: (ownerId: string) => Promise<void>
}

/** Whose it is (the data key), what it is about, which one: `{ ownerId, subjectId: datastoreId, name: 'admin' }`. */
export type SecretRef = { readonly ownerId: string; readonly subjectId: string; readonly name: string }
