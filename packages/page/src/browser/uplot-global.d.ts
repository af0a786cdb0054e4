/** The page inlines uPlot as a global. */
declare const uPlot: typeof import('uplot')
