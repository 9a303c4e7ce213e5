import { z } from 'zod'
import { id, instant } from './fields.ts'

const ofOrganisation = z.object({ organisationId: id })
const memberRole = z.string().describe('`owner`, `admin`, `developer`, `viewer` or `auditor`.')
const ofMember = ofOrganisation.extend({ userId: id, role: memberRole })

const ORGANISATION = 'organisations/{organisationId}'

/** What is promised of an organisation's events. */
export const organisationContract = {
  'dev.ccx.organisation.created.v1': { summary: 'An organisation was made.', subject: ORGANISATION, data: ofOrganisation },
  'dev.ccx.organisation.renamed.v1': { summary: 'It has another name.', subject: ORGANISATION, data: ofOrganisation },
  'dev.ccx.organisation.event-stream-opened.v1': {
    summary: 'Credentials for the stream of these events were made; those before them hold no more.',
    subject: ORGANISATION,
    data: ofOrganisation,
  },
  'dev.ccx.organisation.event-stream-closed.v1': {
    summary: 'The credentials for the stream of these events hold no more.',
    subject: ORGANISATION,
    data: ofOrganisation,
  },
  'dev.ccx.organisation.deleted.v1': { summary: 'The organisation is gone.', subject: ORGANISATION, data: ofOrganisation },
  'dev.ccx.organisation.erased.v1': {
    summary: 'What was personal in the organisation can be read by nobody any more.',
    subject: ORGANISATION,
    data: ofOrganisation,
  },
  'dev.ccx.organisation.member-invited.v1': {
    summary: 'Someone was invited.',
    subject: ORGANISATION,
    data: ofMember.omit({ userId: true }).extend({ invitationId: id, expiresAt: instant }),
  },
  'dev.ccx.organisation.invitation-ended.v1': {
    summary: 'An invitation holds no more.',
    subject: ORGANISATION,
    data: ofOrganisation.extend({
      invitationId: id,
      reason: z.string().describe('`accepted`, `declined` or `revoked`. New reasons may come.'),
    }),
  },
  'dev.ccx.organisation.member-joined.v1': { summary: 'Someone is a member now.', subject: ORGANISATION, data: ofMember },
  'dev.ccx.organisation.member-role-changed.v1': {
    summary: 'A member has another role.',
    subject: ORGANISATION,
    data: ofMember,
  },
  'dev.ccx.organisation.member-left.v1': {
    summary: 'Someone is no member any more.',
    subject: ORGANISATION,
    data: ofMember.omit({ role: true }),
  },
} as const
