/**
 * A page that stands alone: one file, everything inlined, nothing loaded. Its policy forbids the browser to load anything,
 * so that a page from a report cannot even by mistake.
 */
import { readFileSync } from 'node:fs'
import { type Html, type HtmlPart, html, Html as Markup } from './html.ts'
import { inlineScript, readSource } from './inline-script.ts'

export interface PageOptions {
  /** Plain text, also in the window's title. */
  readonly title: string
  /** One or two sentences below it. */
  readonly lead?: HtmlPart
  /** Sections, tables, charts, in their order. */
  readonly content: readonly HtmlPart[]
  /** The command that makes it again, and when and where it ran. */
  readonly footer?: HtmlPart
  /** Further modules for the browser, by the URLs of their files. */
  readonly scripts?: readonly string[]
  /** Further style sheets, likewise. */
  readonly styles?: readonly string[]
  /** What kind of page it is, above the title. @default 'Troupe benchmark' */
  readonly kicker?: string
}

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"

/** The page as the text of its file. */
export function renderPage(options: PageOptions): string {
  const { title, lead, content, footer, scripts = [], styles = [], kicker = 'Troupe benchmark' } = options
  const sheets = [uplotFile('dist/uPlot.min.css'), ...[own('page.css'), ...styles].map(readSource)]
  const modules = [own('mount-charts.ts'), ...scripts].map((entry) => inlineScript(entry))
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${title} · Troupe</title>
${sheets.map((sheet) => html`<style>${new Markup(sheet.replaceAll('</', '<\\/'))}</style>`)}
</head>
<body>
<main>
<header><p class="kicker">${kicker}</p><h1>${title}</h1>${lead !== undefined && html`<p class="lead">${lead}</p>`}</header>
${content}
</main>
${footer !== undefined && html`<footer>${footer}</footer>`}
${licence()}
${[uplotFile('dist/uPlot.iife.min.js'), ...modules].map(script)}
</body>
</html>
`
  return page.text
}

/** A classic script: those of modules do not run in a file that is opened from the disk in every browser. */
function script(text: string): Html {
  return html`<script>${new Markup(text)}</script>
`
}

/** uPlot's licence asks to stand beside each copy. */
function licence(): Html {
  return new Markup(`<!-- The charts are drawn by uPlot:\n${uplotFile('LICENSE').replaceAll('--', '- -')}-->`)
}

/** The package ships its sources, so that this finds them when built, too. */
const own = (name: string): string => import.meta.resolve(`@troupe/page/browser/${name}`)

const uplotFile = (path: string): string =>
  readFileSync(new URL(import.meta.resolve(`uplot/${path}`)), 'utf8')
