import { UsersClient } from '@eventstore/db-client/generated/users_grpc_pb.js'
import users from '@eventstore/db-client/generated/users_pb.js'
import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js'

type Named = { readonly login: string }
type WithPassword = Named & { readonly password: string }
type WithGroups = WithPassword & { readonly groups: readonly string[] }

/** The calls of user management, for which the official client has no methods, in the name of one user. */
export const usersCalls = (
  { address, authorityPem }: { readonly address: string; readonly authorityPem: string },
  { username, password }: { readonly username: string; readonly password: string },
) => {
  const client = new UsersClient(address, credentials.createSsl(Buffer.from(authorityPem)))
  const caller = new Metadata()
  caller.set('authorization', `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`)
  const done = (call: (done: (error: ServiceError | null) => void) => unknown): Promise<void> =>
    new Promise((resolve, reject) => {
      call((error) => (error === null ? resolve() : reject(error)))
    })
  return {
    create: ({ login, password, groups }: WithGroups): Promise<void> => {
      const { Options } = users.CreateReq
      const options = new Options().setLoginName(login).setPassword(password).setGroupsList([...groups])
      return done((end) => client.create(new users.CreateReq().setOptions(options), caller, end))
    },
    update: ({ login, password, groups }: WithGroups): Promise<void> => {
      const { Options } = users.UpdateReq
      const options = new Options().setLoginName(login).setPassword(password).setGroupsList([...groups])
      return done((end) => client.update(new users.UpdateReq().setOptions(options), caller, end))
    },
    resetPassword: ({ login, password }: WithPassword): Promise<void> => {
      const options = new users.ResetPasswordReq.Options().setLoginName(login).setNewPassword(password)
      return done((end) => client.resetPassword(new users.ResetPasswordReq().setOptions(options), caller, end))
    },
    changePassword: ({ login, current, next }: Named & { readonly current: string; readonly next: string }): Promise<void> => {
      const { Options } = users.ChangePasswordReq
      const options = new Options().setLoginName(login).setCurrentPassword(current).setNewPassword(next)
      return done((end) => client.changePassword(new users.ChangePasswordReq().setOptions(options), caller, end))
    },
    remove: (login: string): Promise<void> => {
      const options = new users.DeleteReq.Options().setLoginName(login)
      return done((end) => client.delete(new users.DeleteReq().setOptions(options), caller, end))
    },
    enable: (login: string): Promise<void> => {
      const options = new users.EnableReq.Options().setLoginName(login)
      return done((end) => client.enable(new users.EnableReq().setOptions(options), caller, end))
    },
    disable: (login: string): Promise<void> => {
      const options = new users.DisableReq.Options().setLoginName(login)
      return done((end) => client.disable(new users.DisableReq().setOptions(options), caller, end))
    },
    /** One user, or all for an empty login. */
    details: (login: string): Promise<{ readonly login: string; readonly groups: string[]; readonly disabled: boolean }[]> =>
      new Promise((resolve, reject) => {
        const options = new users.DetailsReq.Options().setLoginName(login)
        const call = client.details(new users.DetailsReq().setOptions(options), caller)
        const found: { login: string; groups: string[]; disabled: boolean }[] = []
        call.on('data', (answer: users.DetailsResp) => {
          const user = answer.getUserDetails()
          if (user === undefined) return
          found.push({ login: user.getLoginName(), groups: user.getGroupsList(), disabled: user.getDisabled() })
        })
        call.on('error', reject)
        call.on('end', () => resolve(found))
      }),
    close: (): void => client.close(),
  }
}
