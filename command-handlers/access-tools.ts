/** What the calls about databases and users refuse themselves. */
export type AccessRejection =
  | 'access-unknown'
  | 'change-failed'
  | 'malformed-password'
  | 'name-protected'
  | 'reserved-name'
  | 'rotation-at-work'
  | 'user-not-managed'
