/** What a report has to say of a run that was looked into. */
import { documentProfiles, printProfiles } from '../profile/profile-run.ts'
import type { Output } from '../report.ts'
import type { Observed } from './observe.ts'
import { printStages } from './show.ts'

/** Nothing where nobody looked. */
export function printObserved(output: Output, title: string, { stages, profiles }: Observed): void {
  if (stages === undefined && profiles === undefined) return
  output.title(title)
  if (stages !== undefined) printStages(output, stages)
  if (profiles !== undefined) printProfiles(output, profiles)
}

/** A row for JSON: of profiles it has the top functions. */
export function documentObserved<Row extends Observed>({ profiles, ...row }: Row): object {
  return profiles === undefined ? row : { ...row, profiles: documentProfiles(profiles) }
}
