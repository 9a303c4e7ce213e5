import { type Endpoint, needOf, type Principal, Refused } from '../../domain/kernel/endpoint.ts'
import { may, type Role } from '../../domain/kernel/roles.ts'
import { refusal } from './problems.ts'
import { inOrganisation, scoped } from './scope.ts'

/** Reads a header of the request by its name, whatever the case. */
export type Header = (name: string) => string | undefined

export type Authenticate = (header: Header) => Promise<Principal | undefined>

/** Who somebody is, and what he may. */
export type Admission = {
  readonly authenticate: Authenticate
  /** Whether the request comes from the machine account of operators; absent: none does. */
  readonly isBasic?: ((header: Header) => boolean) | undefined
  /** What a user is in an organisation; undefined: nothing, or there is no such organisation. Absent: there is none. */
  readonly roleIn?: ((userId: string, organisationId: string) => Promise<Role | undefined>) | undefined
}

/** The one who calls a public endpoint: nobody, who owns nothing. */
const nobody: Principal = {
  kind: 'user', userId: '', login: '', isAdmin: false, ownerId: '', role: 'auditor', ownerNamed: false,
}

/** The machine account has no scope of its own. */
const machine: Principal = { ...nobody, kind: 'operator', isAdmin: true, role: 'owner' }

const comesBasic = (header: Header): boolean => /^Basic\b/i.test(header('authorization') ?? '')

/**
 * Who asks, in whose name, and that he may.
 *
 * @throws Refused for whoever may not, and for a malformed CCX-Owner header
 */
export const admitted = async (
  endpoint: Pick<Endpoint, 'access' | 'method' | 'needs' | 'of' | 'confirmed'>,
  { authenticate, isBasic, roleIn = async () => undefined }: Admission,
  header: Header,
  params: Readonly<Record<string, string>>,
): Promise<Principal> => {
  const { access } = endpoint
  if (access === 'public') return nobody
  if (access === 'basic' || (access === 'admin-or-basic' && comesBasic(header))) {
    if (isBasic?.(header) !== true) throw refusal('basic-required', 'this call takes HTTP Basic credentials')
    return machine
  }
  const principal = await authenticate(header)
  if (principal === undefined) throw refusal('unauthenticated', 'sign in first')
  const own =
    endpoint.of === 'organisation'
      ? await inOrganisation(principal, params['id'] ?? '', roleIn)
      : await scoped(principal, header('CCX-Owner'), roleIn)
  if (access !== 'user') {
    if (!principal.isAdmin) throw refusal('forbidden', 'this is for operators')
    return own
  }
  if (endpoint.confirmed === true && principal.toConfirm === true) {
    throw new Refused({ rejected: 'email-not-verified', because: 'confirm your e-mail address first' })
  }
  const need = needOf(endpoint)
  if (!may(own.role, need)) throw refusal('forbidden', `the role ${own.role} is not enough for this`)
  return own
}
