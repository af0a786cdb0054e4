/** Bars beside each other. Plain markup: they need no script, and print. */
import { type Html, html } from './html.ts'

export interface BarChart {
  readonly title: string
  /** What a reader should see in it. */
  readonly note?: string
  readonly bars: readonly {
    readonly label: string
    /** At least 0. */
    readonly value: number
    /** As it is written behind the bar. */
    readonly text: string
    /** Bars of one group have one colour. */
    readonly group?: string
  }[]
}

const COLOURS = 8

/** All from nothing on: a bar that is twice as long is twice as much. */
export function barChart({ title, note, bars }: BarChart): Html {
  const most = Math.max(Number.MIN_VALUE, ...bars.map(({ value }) => value))
  const groups = [...new Set(bars.map(({ group = '' }) => group))]
  // Where each bar is its own group its label says it.
  const hasLegend = groups.length > 1 && bars.some(({ label, group }) => label !== group)
  const colourOf = (group = ''): string => `var(--series-${groups.indexOf(group) % COLOURS})`
  const rows = bars.map(({ label, value, text, group }) => {
    const style = `width: ${Number(((value / most) * 100).toFixed(2))}%; background: ${colourOf(group)}`
    return html`<tr><th scope="row">${label}</th><td><i style="${style}"></i></td><td>${text}</td></tr>`
  })
  const keys = groups.map(
    (group) => html`<li><i class="swatch line" style="background: ${colourOf(group)}"></i>${group}</li>`,
  )
  return html`<figure class="chart">
<figcaption><strong>${title}</strong>${note !== undefined && html`<span>${note}</span>`}</figcaption>
<table class="bar-chart"><tbody>${rows}</tbody></table>
${hasLegend && html`<ul class="legend">${keys}</ul>`}
</figure>`
}
