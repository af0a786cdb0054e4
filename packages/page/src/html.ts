/** HTML as values: what comes from outside is escaped unless it is {@link Html} already. */

/** Markup that is safe to put into a page. */
export class Html {
  readonly text: string

  /** @param text markup; {@link html} makes it of parts and escapes them */
  constructor(text: string) {
    this.text = text
  }

  toString(): string {
    return this.text
  }
}

/** What {@link html} takes between its texts: strings and numbers are escaped, lists joined, nothing left out. */
export type HtmlPart = string | number | Html | null | undefined | false | readonly HtmlPart[]

/** A template tag: `` html`<p>${text}</p>` `` escapes `text`. Attributes need their quotes. */
export function html(texts: TemplateStringsArray, ...parts: readonly HtmlPart[]): Html {
  return new Html(
    texts.reduce((markup, text, index) => markup + (index > 0 ? markupOf(parts[index - 1]) : '') + text, ''),
  )
}

function markupOf(part: HtmlPart): string {
  if (part === null || part === undefined || part === false) return ''
  if (part instanceof Html) return part.text
  if (typeof part === 'object') return part.map(markupOf).join('')
  return escapeHtml(String(part))
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text for markup and attributes, where a string is made by hand. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] as string)
}

/**
 * `value` as JSON in a script element that the page's own script reads. No `<` is left in it: neither a `</script>` nor a
 * `<!--` in the data can end the element.
 */
export function embeddedJson(value: unknown, id?: string): Html {
  const json = JSON.stringify(value).replaceAll('<', '\\u003c')
  const name = id === undefined ? undefined : html` id="${id}"`
  return html`<script type="application/json"${name}>${new Html(json)}</script>`
}
