/** Numbers as people read them: the same on a terminal as on a page. */
export {
  formatDuration,
  formatMiB,
  formatMs,
  formatNumber,
  formatRatio,
  rounded,
} from '@troupe/page'
