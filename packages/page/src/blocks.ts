/** What pages are made of beside charts: sections, facts and tables. */
import type { Column } from './column.ts'
import { type Html, type HtmlPart, html } from './html.ts'

/** A part of the page under a heading. */
export function section(title: string, ...content: readonly HtmlPart[]): Html {
  return html`<section><h2>${title}</h2>${content}</section>`
}

export function paragraph(...content: readonly HtmlPart[]): Html {
  return html`<p>${content}</p>`
}

/** A line that a reader must not miss, as that the spread is too wide. */
export function warning(...content: readonly HtmlPart[]): Html {
  return html`<p class="warning" role="note">${content}</p>`
}

/** Something to type. */
export function shellLine(command: string): Html {
  return html`<code class="shell">${command}</code>`
}

/** Names and values: the conditions of a measurement. */
export function facts(list: readonly (readonly [name: string, value: HtmlPart])[]): Html {
  return html`<dl class="facts">${list.map(
    ([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`,
  )}</dl>`
}

/** Few large figures, for the top of a page. */
export function headline(
  list: readonly { readonly value: string; readonly unit?: string; readonly label: string }[],
): Html {
  return html`<ul class="headline">${list.map(
    ({ value, unit, label }) =>
      html`<li><b>${value}${unit === undefined ? '' : html` <small>${unit}</small>`}</b><span>${label}</span></li>`,
  )}</ul>`
}

/** A column whose values may be markup. */
export interface PageColumn<Row> extends Omit<Column<Row>, 'value'> {
  readonly value: (row: Row) => HtmlPart
  /** Whether its text may take several lines. @default false */
  readonly isWrapped?: boolean
}

/**
 * A table with the columns that the terminal shows, too. The first column names its row.
 * @param caption said above it
 */
export function table<Row>(caption: string, columns: readonly PageColumn<Row>[], rows: readonly Row[]): Html {
  const heads = columns.map(
    ({ title, align }) => html`<th scope="col" class="${align ?? 'right'}">${title}</th>`,
  )
  const line = (row: Row): Html =>
    html`<tr>${columns.map(({ value, align, isWrapped }, index) =>
      index === 0
        ? html`<th scope="row" class="${align ?? 'right'}">${value(row)}</th>`
        : html`<td class="${align ?? 'right'}${isWrapped === true ? ' wrap' : ''}">${value(row)}</td>`,
    )}</tr>`
  return html`<div class="table" role="region" aria-label="${caption}" tabindex="0"><table>
<caption>${caption}</caption><thead><tr>${heads}</tr></thead><tbody>${rows.map(line)}</tbody></table></div>`
}
