import { z } from 'zod'
import type { Principal } from '../../domain/kernel/endpoint.ts'
import { ROLES } from '../../domain/kernel/roles.ts'
import type { AccountView, Membership } from './ports.ts'

const Scope = z.object({
  id: z.uuid(),
  name: z.string(),
  type: z.enum(['user', 'admin-user', 'org']),
  role: z.enum(['super-admin', ...ROLES]),
})

/** What the newer calls say of the one who is signed in. */
export const Nested = z.object({
  user: z.object({ id: z.uuid(), login: z.string(), first_name: z.string(), last_name: z.string() }),
  scopes: z.array(Scope).min(1),
})

const Timestamp = z.object({ seconds: z.int(), nanos: z.int() })

/** What the older calls say. */
export const Flat = z.object({
  id: z.uuid(),
  login: z.string(),
  firstName: z.string(),
  lastName: z.string(),
  termsAccepted: z.object({ TermsAndConditionsV1: z.boolean(), PrivacyPolicyV1: z.boolean() }),
  origin: z.string(),
  createdAt: Timestamp,
  updatedAt: Timestamp,
  additionalFields: z.object({}),
})

export const FlatCheck = Flat.extend({ isAdmin: z.boolean(), scopes: z.array(Scope).min(1) })

type Scope = z.infer<typeof Scope>

const nameOf = ({ login, firstName, lastName }: AccountView): string => `${firstName} ${lastName}`.trim() || login

/** Public clients take the first scope for their own. */
export const scopesOf = (account: AccountView, organisations: readonly Membership[]): Scope[] => {
  const own = { id: account.accountId, name: nameOf(account) }
  return [
    ...(account.isAdmin ? [{ ...own, type: 'admin-user', role: 'super-admin' } as const] : []),
    { ...own, type: 'user', role: 'admin' },
    ...organisations.map(({ organisationId: id, name, role }) => ({ id, name, type: 'org', role }) as const),
  ]
}

/** The one scope that a client of the account acts in. */
export const scopesOfClient = (
  account: AccountView,
  organisations: readonly Membership[],
  { ownerId, role }: Pick<Principal, 'ownerId' | 'role'>,
): Scope[] =>
  ownerId === account.accountId
    ? [{ id: ownerId, name: nameOf(account), type: 'user', role: role === 'owner' ? 'admin' : role }]
    : organisations
        .filter(({ organisationId }) => organisationId === ownerId)
        .map(({ name }) => ({ id: ownerId, name, type: 'org', role }))

export const nestedOf = (account: AccountView, scopes: Scope[]): z.infer<typeof Nested> => ({
  user: { id: account.accountId, login: account.login, first_name: account.firstName, last_name: account.lastName },
  scopes,
})

export const flatOf = ({ accountId, login, firstName, lastName, createdAt, terms }: AccountView): z.infer<typeof Flat> => {
  const atMs = Date.parse(createdAt)
  const at = { seconds: Math.floor(atMs / 1000), nanos: (atMs % 1000) * 1_000_000 }
  return {
    id: accountId,
    login,
    firstName,
    lastName,
    // Whoever registered somebody else has settled the terms with him.
    termsAccepted: {
      TermsAndConditionsV1: terms?.includes('TermsAndConditionsV1') ?? true,
      PrivacyPolicyV1: terms?.includes('PrivacyPolicyV1') ?? true,
    },
    origin: 'ccx',
    createdAt: at,
    updatedAt: at,
    additionalFields: {},
  }
}
