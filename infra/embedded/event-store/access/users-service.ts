import users from '@eventstore/db-client/generated/users_grpc_pb.js'
import messages from '@eventstore/db-client/generated/users_pb.js'
import type { handleServerStreamingCall, handleUnaryCall, Metadata } from '@grpc/grpc-js'
import { isPassword } from '../../../auth/password-hash.ts'
import { accessDenied, malformed, refusalOf, userConflict, userNotFound } from '../refusal.ts'
import type { Service } from '../grpc-service.ts'
import { isAdmin, type Principal } from './principal.ts'
import type { User, UserChange, Users } from './users.ts'

const USERS = 'event_store.client.users.Users'

/** A login is part of a stream's name and, in credentials, ends at a colon. */
const LOGIN = /^[^:\s\0]{1,255}$/

type Named = { getLoginName(): string }
type Asking<O extends Named> = { getOptions(): O | undefined }

const optionsOf = <O extends Named>(request: Asking<O>): O => {
  const options = request.getOptions()
  if (options === undefined || !LOGIN.test(options.getLoginName())) throw malformed('a user has a login')
  return options
}

const passwordOf = (password: string): string => {
  if (password === '') throw malformed('a password is not empty')
  return password
}

const detailsOf = ({ loginName, fullName, groups, disabled, updatedTicks }: User): messages.DetailsResp =>
  new messages.DetailsResp().setUserDetails(
    new messages.DetailsResp.UserDetails()
      .setLoginName(loginName)
      .setFullName(fullName)
      .setGroupsList([...groups])
      .setDisabled(disabled)
      .setLastUpdated(new messages.DetailsResp.UserDetails.DateTime().setTicksSinceEpoch(updatedTicks)),
  )

/** A call with one answer that says no more than that it was done. */
const done =
  <O extends Named, Request extends Asking<O>, Response>(
    answer: () => Response,
    work: (options: O) => Promise<void>,
  ): handleUnaryCall<Request, Response> =>
  (call, callback) => {
    const run = async (): Promise<void> => work(optionsOf(call.request))
    run().then(() => callback(null, answer()), (error: unknown) => callback(refusalOf(error)))
  }

const changing = (users: Users) => async (login: string, change: UserChange): Promise<void> => {
  if ((await users.change(login, change)) === 'absent') throw userNotFound(login)
}

type PrincipalOf = (call: { readonly metadata: Metadata }) => Principal

/** All users when none is named, for administrators; else one, for them and the user. */
const detailsCall =
  (users: Users, principalOf: PrincipalOf): handleServerStreamingCall<messages.DetailsReq, messages.DetailsResp> =>
  (call) => {
    const principal = principalOf(call)
    const login = call.request.getOptions()?.getLoginName() ?? ''
    const find = async (): Promise<readonly User[]> => {
      if (!isAdmin(principal) && (login === '' || principal.login !== login)) throw accessDenied()
      if (login === '') return users.list()
      const user = await users.find(login)
      if (user === undefined) throw userNotFound(login)
      return [user]
    }
    const answer = async (): Promise<void> => {
      for (const user of await find()) call.write(detailsOf(user))
      call.end()
    }
    answer().catch((error: unknown) => call.emit('error', refusalOf(error)))
  }

/** The user alone, who says the current password once more. */
const changePasswordCall =
  (
    users: Users,
    principalOf: PrincipalOf,
  ): handleUnaryCall<messages.ChangePasswordReq, messages.ChangePasswordResp> =>
  (call, callback) => {
    const change = async (): Promise<void> => {
      const options = optionsOf(call.request)
      const login = options.getLoginName()
      if (principalOf(call).login !== login) throw accessDenied()
      const user = await users.find(login)
      if (user === undefined) throw userNotFound(login)
      if (!(await isPassword(options.getCurrentPassword(), user.hash))) throw accessDenied()
      await changing(users)(login, { password: passwordOf(options.getNewPassword()) })
    }
    change().then(() => callback(null, new messages.ChangePasswordResp()), (error: unknown) => callback(refusalOf(error)))
  }

/** User management. Who may call what is decided in front of it, but for what depends on whom it is about. */
export const usersService = (kept: Users, principalOf: PrincipalOf): Service => {
  const change = changing(kept)
  return {
    definition: users.UsersService,
    implementation: {
      create: done<messages.CreateReq.Options, messages.CreateReq, messages.CreateResp>(
        () => new messages.CreateResp(),
        async (options) => {
          const login = options.getLoginName()
          const user = { login, fullName: options.getFullName(), groups: options.getGroupsList() }
          const created = await kept.create({ ...user, password: passwordOf(options.getPassword()) })
          if (created === 'exists') throw userConflict(login)
        },
      ),
      update: done<messages.UpdateReq.Options, messages.UpdateReq, messages.UpdateResp>(
        () => new messages.UpdateResp(),
        (options) =>
          change(options.getLoginName(), {
            fullName: options.getFullName(),
            groups: options.getGroupsList(),
            ...(options.getPassword() === '' ? {} : { password: options.getPassword() }),
          }),
      ),
      delete: done<messages.DeleteReq.Options, messages.DeleteReq, messages.DeleteResp>(
        () => new messages.DeleteResp(),
        async (options) => {
          if ((await kept.remove(options.getLoginName())) === 'absent') throw userNotFound(options.getLoginName())
        },
      ),
      enable: done<messages.EnableReq.Options, messages.EnableReq, messages.EnableResp>(
        () => new messages.EnableResp(),
        (options) => change(options.getLoginName(), { disabled: false }),
      ),
      disable: done<messages.DisableReq.Options, messages.DisableReq, messages.DisableResp>(
        () => new messages.DisableResp(),
        (options) => change(options.getLoginName(), { disabled: true }),
      ),
      resetPassword: done<messages.ResetPasswordReq.Options, messages.ResetPasswordReq, messages.ResetPasswordResp>(
        () => new messages.ResetPasswordResp(),
        (options) => change(options.getLoginName(), { password: passwordOf(options.getNewPassword()) }),
      ),
      details: detailsCall(kept, principalOf),
      changePassword: changePasswordCall(kept, principalOf),
    },
    served: ['Create', 'Update', 'Delete', 'Enable', 'Disable', 'Details', 'ChangePassword', 'ResetPassword'].map((method) => ({
      service: USERS,
      method,
    })),
  }
}
