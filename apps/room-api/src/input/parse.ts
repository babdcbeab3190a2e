import type { PipeTransform } from '@nestjs/common';
import { noSuchRoom } from '@partyline/conference/errors';
import { describeIssue } from '@partyline/domain/issue-message';
import type { Reason } from '@partyline/domain/reasons';
import { VerdictError, type Issue } from '@partyline/domain/verdict';

/** The part of a zod schema that is used here. */
interface Schema<T> {
  safeParse(
    value: unknown,
    options: { readonly error: typeof describeIssue },
  ): { success: true; data: T } | { success: false; error: { issues: readonly SchemaIssue[] } };
}
interface SchemaIssue {
  readonly code?: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

/** A segment of a JSON pointer (RFC 6901). */
const toPointerSegment = (key: PropertyKey): string => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;

const valueAt = (root: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((value, key) => (value as { readonly [name: PropertyKey]: unknown } | undefined)?.[key], root);

/** Whether the field is absent. zod prefers a schema's message for a wrong value to our own. */
const isMissing = ({ code, path }: SchemaIssue, root: unknown): boolean =>
  code?.startsWith('invalid_') === true && valueAt(root, path) === undefined;

/** One issue per field. Each unknown field is an issue of its own. */
function toIssues(issue: SchemaIssue, root: unknown): Issue[] {
  const { code, path, message, keys } = issue;
  const pointer = path.map(toPointerSegment).join('');
  if (code === 'unrecognized_keys') {
    const details = message.split('\n');
    return (keys ?? []).map((key, n) => ({ pointer: pointer + toPointerSegment(key), detail: details[n] ?? '' }));
  }
  return [{ pointer, detail: isMissing(issue, root) ? 'is required' : message }];
}

const parser = <T>(schema: Schema<T>, reason: Reason, message: string): PipeTransform<unknown, T> => ({
  transform(value) {
    const parsed = schema.safeParse(value, { error: describeIssue });
    if (parsed.success) return parsed.data;
    throw new VerdictError('client', reason, message, {
      fix: 'Correct the fields in errors. /docs describes every field.',
      issues: parsed.error.issues.flatMap((issue) => toIssues(issue, value)),
    });
  },
});

/** Validates a body and fills in defaults. Throws 422 with a pointer to each invalid field. */
export const body = <T>(schema: Schema<T>): PipeTransform<unknown, T> => {
  const parse = parser(schema, 'invalid-body', 'The body is invalid.');
  return {
    transform(value, metadata) {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw new VerdictError('client', 'invalid-body', 'The body must be a JSON object.', {
          field: '',
          fix: 'Send a JSON object and content-type: application/json.',
        });
      }
      return parse.transform(value, metadata);
    },
  };
};

/**
 * Validates a body of which no field is required: a request without a body counts as one with `{}`.
 */
export const optionalBody = <T>(schema: Schema<T>): PipeTransform<unknown, T> => {
  const parse = body(schema);
  return { transform: (value, metadata) => parse.transform(value === undefined ? {} : value, metadata) };
};

/**
 * Validates a query. Throws 422 with a pointer (`/` and the parameter's name) to each invalid one.
 */
export const query = <T>(schema: Schema<T>): PipeTransform<unknown, T> => {
  const parse = parser(schema, 'invalid-query', 'The query is invalid.');
  return { transform: (value, metadata) => parse.transform(restoreOffsets(value), metadata) };
};

/** A plus in a query is decoded as a space. In a time it can only be the sign of the offset. */
const restoreOffsets = (value: unknown): unknown =>
  typeof value !== 'object' || value === null
    ? value
    : Object.fromEntries(
        Object.entries(value).map(([name, text]) => [
          name,
          typeof text === 'string'
            ? text.replace(/^(\d{4}-\d\d-\d\dT[\d:.]+) (\d\d:\d\d)$/i, '$1+$2')
            : (text as unknown),
        ]),
      );

/** The period of a query as dates. */
export const toDates = ({
  createdAfter,
  createdBefore,
}: {
  createdAfter?: string | undefined;
  createdBefore?: string | undefined;
}): { createdAfter?: Date; createdBefore?: Date } => ({
  ...(createdAfter === undefined ? {} : { createdAfter: new Date(createdAfter) }),
  ...(createdBefore === undefined ? {} : { createdBefore: new Date(createdBefore) }),
});

/** `after` names no item of the tenant's list. */
export const noSuchPage = (): VerdictError =>
  new VerdictError('client', 'invalid-query', 'This page does not exist.', {
    field: '/after',
    fix: 'Send the `next` of the previous page, or leave it out to start at the first page.',
  });

const isId = (value: unknown): value is string => typeof value === 'string' && /^[\w-]{1,80}$/.test(value);

/**
 * Validates an id in the path. Postgres would reject some texts, so they are rejected here.
 * @param notFound the error for a text that cannot be an id
 */
export const idPipe = (notFound: () => VerdictError): PipeTransform<unknown, string> => ({
  transform(value) {
    if (!isId(value)) throw notFound();
    return value;
  },
});

/** The id of a room in the path. */
export const roomIdPipe = idPipe(noSuchRoom);

export const noSuchSession = (): VerdictError =>
  new VerdictError('client', 'session-not-found', 'This session does not exist.', {
    fix: 'Check the id. GET /v1/sessions lists your sessions.',
  });

/** The id of a session in the path. */
export const sessionIdPipe = idPipe(noSuchSession);
