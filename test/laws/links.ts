/** Links of Markdown pages to files of this repository, and what they lead to. */
import { posix } from 'node:path'

const LINK = /\]\((?!https?:|#|mailto:)([^)\s#]+)(?:#[^)\s]*)?\)/g
const RECORD = /docs\/adr\/(\d{4})\b/g

/** What is linked to and is not there, as `page: target`. @param files by path; others are asked for by `exists` */
export function brokenLinks(
  files: ReadonlyMap<string, string>,
  exists: (path: string) => boolean,
): readonly string[] {
  const paths = [...files.keys()]
  const broken: string[] = []
  for (const [path, text] of files) {
    if (path.endsWith('.md')) {
      for (const [, target = ''] of text.matchAll(LINK)) {
        if (!exists(posix.join(posix.dirname(path), target))) broken.push(`${path}: ${target}`)
      }
    }
    for (const [, number = ''] of text.matchAll(RECORD)) {
      const isThere = paths.some((each) => each.startsWith(`docs/adr/${number}-`))
      if (!isThere) broken.push(`${path}: docs/adr/${number}`)
    }
  }
  return broken
}
