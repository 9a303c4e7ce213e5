/** The one name of the platform that a port here mentions; it merges with the platform's own declaration elsewhere. */
interface AbortSignal {
  readonly aborted: boolean
}
