import type { ApiOperation, JsonSchema, OpenApi } from '@partyline/contracts/openapi';

const escape = (text: unknown): string =>
  String(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
/** Descriptions put code between back ticks. */
const prose = (text = ''): string => escape(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>');

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1rem; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); } h3 { margin-top: 2.5rem; } h4 { margin: 1rem 0 .3rem; }
code, pre { font: .9em ui-monospace, monospace; background: var(--soft); border-radius: 4px; } code { padding: .1em .3em; } pre { padding: .8rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); }
nav ul { columns: 18rem; list-style: none; padding: 0; } .method { font-weight: 700; }
`;

/** The reference as one page of HTML that loads nothing else: every operation, then every schema, each linked to where it is used. */
export function referencePage(document: OpenApi): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const schemas = Object.entries(document.components.schemas);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escape(document.info.title)} API ${escape(document.info.version)}</title><style>${STYLE}</style></head><body>
<h1>${escape(document.info.title)} API <small>${escape(document.info.version)}</small></h1>
<p>${prose(document.info.description)}</p>
<p>Every request carries <code>Authorization: Bearer pl_…</code>. The same as a document for programs: <a href="/v1/openapi.json">/v1/openapi.json</a> (OpenAPI ${escape(document.openapi)}).</p>
<nav aria-label="Operations"><ul>${operations.map(({ operation, method, path }) => `<li><a href="#${escape(operation.operationId)}"><span class="method">${method.toUpperCase()}</span> ${escape(path)}</a></li>`).join('')}</ul></nav>
<main>
${document.tags
  .map(
    ({ name, description }) => `<h2 id="${escape(name)}">${escape(name)}</h2><p>${prose(description)}</p>
${operations
  .filter(({ operation }) => operation.tags.includes(name))
  .map(({ path, method, operation }) => section(document, method, path, operation))
  .join('\n')}`,
  )
  .join('\n')}
<h2 id="webhooks">webhooks</h2><p>What is sent to your endpoints, <code>POST</code>, signed by Standard Webhooks.</p>
<table><tr><th>Type</th><th>Body</th><th>When</th></tr>${Object.entries(document.webhooks)
    .map(
      ([name, { post }]) =>
        `<tr><td><code>${escape(name)}</code></td><td>${type(post.requestBody.content['application/json'].schema)}</td><td>${prose(post.summary)}</td></tr>`,
    )
    .join('')}</table>
<h2 id="schemas">schemas</h2>
${schemas.map(([name, schema]) => `<h3 id="${escape(name)}">${escape(name)}</h3><p>${prose(schema.description)}</p>${fields(schema)}`).join('\n')}
</main></body></html>
`;
}

function section(document: OpenApi, method: string, path: string, operation: ApiOperation): string {
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation;
  const asked = requestBody?.content['application/json']?.schema;
  return `<h3 id="${escape(operationId)}">${escape(summary)}</h3>
<p><code><span class="method">${method.toUpperCase()}</span> ${escape(path)}</code> ${needs(operation)}</p><p>${prose(description)}</p>
${parameters.length === 0 ? '' : `<h4>Parameters</h4><table><tr><th>Name</th><th>In</th><th>Type</th><th>Meaning</th></tr>${parameters.map((each) => `<tr><td><code>${escape(each.name)}</code></td><td>${escape(each.in)}</td><td>${type(each.schema)}</td><td>${prose(each.description ?? each.schema.description)}</td></tr>`).join('')}</table>`}
${asked === undefined ? '' : `<h4>Body: ${type(asked)}</h4><pre>${escape(JSON.stringify(example(document, asked), null, 2))}</pre>`}
<h4>Replies</h4><table><tr><th>Status</th><th>Body</th><th>When</th></tr>${Object.entries(responses)
    .map(
      ([status, reply]) =>
        `<tr><td>${escape(status)}</td><td>${Object.values(reply.content)
          .map(({ schema }) => type(schema))
          .join(', ')}</td><td>${prose(reply.description)}</td></tr>`,
    )
    .join('')}</table>`;
}

/** Which key opens it. */
function needs({ security }: ApiOperation): string {
  const scopes = security.flatMap(({ apiKey = [] }) => apiKey);
  return scopes.length === 0
    ? 'with an operator’s key'
    : `with the scope ${scopes.map((scope) => `<code>${escape(scope)}</code>`).join(', ')}`;
}

function fields(schema: JsonSchema): string {
  const rows = Object.entries(schema.properties ?? {}).map(
    ([name, field]) =>
      `<tr><td><code>${escape(name)}</code>${field.default === undefined && schema.required?.includes(name) !== true ? ' (optional)' : ''}</td><td>${type(field)}</td><td>${prose(field.description)}${field.default === undefined ? '' : ` Default: <code>${escape(JSON.stringify(field.default))}</code>.`}${field.examples?.[0] === undefined ? '' : ` For example <code>${escape(JSON.stringify(field.examples[0]))}</code>.`}</td></tr>`,
  );
  return rows.length === 0 ? '' : `<table><tr><th>Field</th><th>Type</th><th>Meaning</th></tr>${rows.join('')}</table>`;
}

/** A schema in a word or two. */
function type(schema: JsonSchema): string {
  if (schema.$ref !== undefined) {
    const name = escape(schema.$ref.replace(/.*\//, ''));
    return `<a href="#${name}">${name}</a>`;
  }
  if (schema.anyOf !== undefined) return schema.anyOf.map(type).join(' or ');
  if (schema.enum !== undefined)
    return schema.enum.map((value) => `<code>${escape(JSON.stringify(value))}</code>`).join(' or ');
  if (schema.items !== undefined) return `list of ${type(schema.items)}`;
  return escape(typeof schema.format === 'string' ? schema.format : (schema.type ?? 'any'));
}

/** A body to copy: each field's own example. */
function example(document: OpenApi, schema: JsonSchema): unknown {
  const { properties = {} } =
    schema.$ref === undefined ? schema : (document.components.schemas[schema.$ref.replace(/.*\//, '')] ?? {});
  return Object.fromEntries(
    Object.entries(properties).map(([name, field]) => [name, field.examples?.[0] ?? field.default]),
  );
}
