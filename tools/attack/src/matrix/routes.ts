import { SCOPES, type Scope } from '@partyline/contracts/operation';
import type { ApiOperation, OpenApi } from '@partyline/contracts/openapi';
import { sample } from './sample.ts';

/** One operation of the OpenAPI document. */
export interface Route {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  /** The names of its path parameters. */
  readonly parameters: readonly string[];
  readonly queries: readonly string[];
  /** The scope that the key needs; `operator` needs an operator key. */
  readonly scope: Scope | 'operator';
  /** A valid body. */
  readonly body: string | undefined;
}

/** Lists every operation of the document. Throws when one states no scope. */
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
  const [requirement] = security;
  if (requirement !== undefined && 'operatorKey' in requirement) return 'operator';
  const scope = SCOPES.find((each) => requirement?.['apiKey']?.includes(each));
  if (scope === undefined) throw new Error(`The operation ${operationId} states no scope.`);
  return scope;
}

/**
 * The route's path with these ids. Throws when an id is missing: add the new kind of id in
 * target.ts.
 */
export function pathOf(route: Route, ids: Readonly<Record<string, string>>): string {
  return route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const id = ids[name];
    if (id === undefined)
      throw new Error(`There is no id for {${name}} of ${route.id}. Add one in tools/attack/src/target.ts.`);
    return encodeURIComponent(id);
  });
}
