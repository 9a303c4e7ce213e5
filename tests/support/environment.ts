/**
 * The only reader of the environment among the tests: real servers to test against, beside those the tests start
 * themselves.
 */
export const environment = {
  /** `esdb://…` of a real EventStoreDB. */
  eventStoreUrl: process.env['ESDB_URL'],
} as const
