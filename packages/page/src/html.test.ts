import assert from 'node:assert/strict'
import { test } from 'node:test'
import { embeddedJson, html } from './html.ts'

test('parts are escaped, markup goes in as it is, lists are joined and nothing is left out', () => {
  const bold = html`<b title="${'"<&>\''}">${'a < b'}</b>`
  assert.equal(bold.text, '<b title="&quot;&lt;&amp;&gt;&#39;">a &lt; b</b>')
  assert.equal(html`${[bold, 1, null, undefined, false]}`.text, `${bold.text}1`)
})

test('data cannot end its script element, and comes back as it was', () => {
  const value = { text: '</script><!-- <script> \u2028 & "', list: [1, null] }
  const { text } = embeddedJson(value, 'data')
  assert.match(text, /^<script type="application\/json" id="data">[^<]*<\/script>$/)
  assert.deepEqual(JSON.parse(text.replace(/^<[^>]*>/, '').replace('</script>', '')), value)
})
