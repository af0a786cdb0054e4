/** What a reader looks for first: whether it holds. */
import { type Html, type HtmlPart, html } from './html.ts'

export type PageVerdict = 'pass' | 'fail' | 'unknown'

/** A word in its colour. */
export const verdictMark = (verdict: PageVerdict): Html => html`<b class="verdict ${verdict}">${verdict}</b>`

/** The first thing on a page. */
export const verdictBanner = (verdict: PageVerdict, ...text: readonly HtmlPart[]): Html =>
  html`<div class="banner ${verdict}" role="status"><b>${verdict}</b><p>${text}</p></div>`
