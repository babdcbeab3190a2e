import type { ApiOperation, JsonSchema, OpenApi } from '@partyline/contracts/openapi';

const escape = (text: unknown): string =>
  String(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** Escaped text, with code between backticks. */
const prose = (text = ''): string => escape(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>');
const code = (text: unknown): string => `<code>${escape(text)}</code>`;

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1rem; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
h3 { margin-top: 2.5rem; }
h4 { margin: 1rem 0 .3rem; }
code, pre { font: .9em ui-monospace, monospace; background: var(--soft); border-radius: 4px; }
code { padding: .1em .3em; }
pre { padding: .8rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); }
nav ul { columns: 18rem; list-style: none; padding: 0; overflow-wrap: anywhere; }
.method { font-weight: 700; }
`;

interface Route {
  readonly path: string;
  readonly method: string;
  readonly operation: ApiOperation;
}

/** A table of cells that are HTML already. */
function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const head = headings.map((heading) => `<th>${heading}</th>`).join('');
  const body = rows.map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`).join('\n');
  return `<table><tr>${head}</tr>\n${body}</table>`;
}

/**
 * The reference as one HTML page without scripts or further requests: the operations by tag, the
 * webhooks, and the schemas, linked to each other.
 */
export function renderReference(document: OpenApi): string {
  const { title, version, description } = document.info;
  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Route => ({ path, method, operation })),
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)} API ${escape(version)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escape(title)} API <small>${escape(version)}</small></h1>
<p>${prose(description)}</p>
<p>Every request needs the header ${code('Authorization: Bearer pl_...')}.
The OpenAPI ${escape(document.openapi)} document is at <a href="/v1/openapi.json">/v1/openapi.json</a>.</p>
<nav aria-label="Operations"><ul>${routes.map(renderLink).join('\n')}</ul></nav>
<main>
${document.tags.map((tag) => renderTag(tag, routes)).join('\n')}
<h2 id="webhooks">webhooks</h2>
<p>The events that your endpoints receive: ${code('POST')} requests, signed as Standard Webhooks.</p>
${renderWebhooks(document)}
<h2 id="schemas">schemas</h2>
${Object.entries(document.components.schemas)
  .map(([name, schema]) => renderSchema(name, schema))
  .join('\n')}
</main>
</body>
</html>
`;
}

const renderLink = ({ operation, method, path }: Route): string =>
  `<li><a href="#${escape(operation.operationId)}">` +
  `<span class="method">${method.toUpperCase()}</span> ${escape(path)}</a></li>`;

const renderTag = ({ name, description }: OpenApi['tags'][number], routes: readonly Route[]) =>
  `<h2 id="${escape(name)}">${escape(name)}</h2>
<p>${prose(description)}</p>
${routes
  .filter(({ operation }) => operation.tags.includes(name))
  .map(renderOperation)
  .join('\n')}`;

function renderOperation({ method, path, operation }: Route): string {
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation;
  const { schema: body, example } = requestBody?.content['application/json'] ?? {};
  const parameterRows = parameters.map((each) => [
    code(each.name),
    escape(each.in),
    renderType(each.schema),
    prose(each.description ?? each.schema.description),
  ]);
  const responseRows = Object.entries(responses).map(([status, reply]) => [
    escape(status),
    Object.values(reply.content)
      .map(({ schema }) => renderType(schema))
      .join(', '),
    prose(reply.description),
  ]);
  return `<h3 id="${escape(operationId)}">${escape(summary)}</h3>
<p><code><span class="method">${method.toUpperCase()}</span> ${escape(path)}</code> ${renderSecurity(operation)}</p>
<p>${prose(description)}</p>
${parameters.length === 0 ? '' : '<h4>Parameters</h4>'}
${table(['Name', 'In', 'Type', 'Description'], parameterRows)}
${body === undefined ? '' : `<h4>Body: ${renderType(body)}</h4><pre>${escape(JSON.stringify(example, null, 2))}</pre>`}
<h4>Example</h4><pre>${operation['x-codeSamples'].map(({ source }) => escape(source)).join('\n')}</pre>
<h4>Responses</h4>
${table(['Status', 'Body', 'Description'], responseRows)}`;
}

function renderSecurity({ security }: ApiOperation): string {
  const scopes = security.flatMap(({ apiKey = [] }) => apiKey);
  return scopes.length === 0 ? 'with an operator key' : `with the scope ${scopes.map(code).join(', ')}`;
}

const renderWebhooks = (document: OpenApi): string =>
  table(
    ['Type', 'Body', 'Description'],
    Object.entries(document.webhooks).map(([name, { post }]) => [
      code(name),
      renderType(post.requestBody.content['application/json'].schema),
      prose(post.summary),
    ]),
  );

const renderSchema = (name: string, schema: JsonSchema): string =>
  `<h3 id="${escape(name)}">${escape(name)}</h3><p>${prose(schema.description)}</p>${renderFields(schema)}`;

function renderFields(schema: JsonSchema): string {
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) => {
    const isOptional = field.default === undefined && schema.required?.includes(name) !== true;
    const notes = [
      prose(field.description),
      field.default === undefined ? '' : `Default: ${code(JSON.stringify(field.default))}.`,
      field.examples?.[0] === undefined ? '' : `Example: ${code(JSON.stringify(field.examples[0]))}.`,
    ];
    return [code(name) + (isOptional ? ' (optional)' : ''), renderType(field), notes.filter(Boolean).join(' ')];
  });
  return table(['Field', 'Type', 'Description'], rows);
}

/** A schema's type in a few words. */
function renderType(schema: JsonSchema): string {
  if (schema.$ref !== undefined) {
    const name = escape(schema.$ref.replace(/.*\//, ''));
    return `<a href="#${name}">${name}</a>`;
  }
  if (schema.anyOf !== undefined) return schema.anyOf.map(renderType).join(' or ');
  if (schema.enum !== undefined) return schema.enum.map((value) => code(JSON.stringify(value))).join(' or ');
  if (schema.items !== undefined) return `list of ${renderType(schema.items)}`;
  return escape(typeof schema.format === 'string' ? schema.format : (schema.type ?? 'any'));
}
