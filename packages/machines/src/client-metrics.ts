/** Counters since the client was made. */
export interface ClientMetrics {
  framesSent: number
  commandsSent: number
  commandsAnswered: number
  /** Commands sent more than once. */
  commandsResent: number
  leaderChanges: number
  /** Sessions that the cluster had forgotten. */
  sessionsLost: number
}

/** Nothing has been counted yet. */
export const newClientMetrics = (): ClientMetrics => ({
  framesSent: 0,
  commandsSent: 0,
  commandsAnswered: 0,
  commandsResent: 0,
  leaderChanges: 0,
  sessionsLost: 0,
})
