import { SCOPES, type Scope } from '@partyline/contracts/operation';
import type { ApiOperation, OpenApi } from '@partyline/contracts/openapi';
import { sample } from './sample.ts';

/** One operation as an attacker reads it in the OpenAPI document. */
export interface Route {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  /** The names in its path. */
  readonly parameters: readonly string[];
  readonly queries: readonly string[];
  /** What the key must be allowed; `operator`: the operator's key. */
  readonly scope: Scope | 'operator';
  /** A body that is good. */
  readonly body: string | undefined;
}

/** Every operation of the document. Throws for one that does not say who may use it. */
export const routesOf = (document: OpenApi): Route[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => routeOf(document, path, method, operation)),
  );

function routeOf(document: OpenApi, path: string, method: string, operation: ApiOperation): Route {
  const schema = operation.requestBody?.content['application/json']?.schema;
  return {
    id: operation.operationId,
    method: method.toUpperCase(),
    path,
    parameters: [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name),
    queries: (operation.parameters ?? []).filter((parameter) => parameter.in === 'query').map(({ name }) => name),
    scope: scopeOf(operation),
    body: schema === undefined ? undefined : JSON.stringify(sample(document, schema)),
  };
}

function scopeOf({ operationId, security }: ApiOperation): Scope | 'operator' {
  const [way] = security;
  if (way !== undefined && 'operatorKey' in way) return 'operator';
  const scope = SCOPES.find((each) => way?.['apiKey']?.includes(each));
  if (scope === undefined) throw new Error(`${operationId} does not say which scope it needs.`);
  return scope;
}

/** The route's address with these ids. Throws for a name that there is no id for: a new kind of thing must be attacked too (target.ts, `ids`). */
export function addressOf(route: Route, ids: Readonly<Record<string, string>>): string {
  return route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const id = ids[name];
    if (id === undefined)
      throw new Error(`The attack has no id for {${name}} of ${route.id}: make one in tools/attack/src/target.ts.`);
    return encodeURIComponent(id);
  });
}
