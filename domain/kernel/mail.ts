/** A mail to one reader. */
export type Mail = {
  /** Derived from what it is about: putting the same mail again sends nothing again. */
  readonly mailId: string
  /** The organisation under whose key it is sealed while it waits. */
  readonly ownerId: string
  readonly to: string
  readonly subject: string
  readonly text: string
}

/** Where mails wait until they are sent; whatever was put is sent, however often the sender dies. */
export type Outbox = { readonly put: (mail: Mail) => Promise<void> }
