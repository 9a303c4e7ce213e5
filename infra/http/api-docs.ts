import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Context } from 'koa'
import type { JsonObject } from '../../domain/kernel/json.ts'

type Page = { readonly path: string; readonly serve: (ctx: Context) => void }

const FOLDER = '/api/docs'

// Paths from the root, since the page answers with and without a slash at its end.
const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>CCX API</title>
<link rel="stylesheet" href="${FOLDER}/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="api"></div>
<script src="${FOLDER}/swagger-ui-bundle.js"></script>
<script src="${FOLDER}/start.js"></script>
</body>
</html>
`

const START = `window.SwaggerUIBundle({
  url: '${FOLDER}/openapi.json',
  dom_id: '#api',
  deepLinking: true,
  validatorUrl: null,
})
`

/**
 * The page runs its own scripts and talks to its own host, and nothing else. Swagger UI sets styles on its elements.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/**
 * The API's description: the OpenAPI document, and Swagger UI to read and try it.
 *
 * @param document as `openApi` makes it
 */
export const apiDocs = (document: JsonObject): readonly Page[] => {
  const packaged = createRequire(import.meta.url)
  const json = JSON.stringify(document)
  const page = (path: string, type: string, content: () => string): Page => ({
    path,
    serve: (ctx) => {
      ctx.set('Content-Security-Policy', POLICY)
      ctx.set('Cache-Control', 'no-cache')
      ctx.type = type
      ctx.body = content()
    },
  })
  const file = (name: string, type: string): Page => {
    let content: string | undefined
    const read = () => (content ??= readFileSync(packaged.resolve(`swagger-ui-dist/${name}`), 'utf8'))
    return page(`${FOLDER}/${name}`, type, read)
  }
  return [
    page(FOLDER, 'text/html', () => PAGE),
    page(`${FOLDER}/`, 'text/html', () => PAGE),
    page(`${FOLDER}/start.js`, 'text/javascript', () => START),
    page(`${FOLDER}/openapi.json`, 'application/json', () => json),
    file('swagger-ui.css', 'text/css'),
    file('swagger-ui-bundle.js', 'text/javascript'),
  ]
}
