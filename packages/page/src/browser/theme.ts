/** Colours of the page's style sheet, for what is drawn on a canvas. */

export interface Theme {
  readonly ink: string
  readonly muted: string
  readonly grid: string
  readonly surface: string
  readonly font: string
  /** For what differs in kind. */
  readonly palette: readonly string[]
  /** From little to much. */
  readonly ramp: readonly string[]
  /** Of markers and spans, by their kind. */
  readonly kinds: Readonly<Record<string, string>>
}

const numbered = (style: CSSStyleDeclaration, name: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => style.getPropertyValue(`--${name}-${index}`).trim())

export function currentTheme(): Theme {
  const style = getComputedStyle(document.documentElement)
  const value = (name: string): string => style.getPropertyValue(`--${name}`).trim()
  return {
    ink: value('ink'),
    muted: value('muted'),
    grid: value('grid'),
    surface: value('surface'),
    font: `12px ${getComputedStyle(document.body).fontFamily}`,
    palette: numbered(style, 'series', 8),
    ramp: numbered(style, 'ramp', 5),
    kinds: {
      fault: value('bad'),
      heal: value('good'),
      election: value('series-3'),
      recovery: value('good'),
      note: value('muted'),
    },
  }
}

/** Has charts drawn anew when the reader changes between light and dark. */
export function onThemeChange(draw: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw)
}

/** The colour at `share` (0 to 1) of a ramp. */
export function rampColour(ramp: readonly string[], share: number): string {
  const at = Math.min(1, Math.max(0, share)) * (ramp.length - 1)
  const low = Math.floor(at)
  const percent = Math.round((at - low) * 100)
  if (percent === 0) return ramp[low] as string
  return `color-mix(in oklab, ${ramp[low + 1]} ${percent}%, ${ramp[low]})`
}
