import type { PipeTransform } from '@nestjs/common';
import { noSuchRoom } from '@partyline/conference/errors';
import { VerdictError, type Issue } from '@partyline/domain/verdict';

/** What a schema of libs/contracts says of a value; zod's own result has this form. */
interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: { issues: readonly SchemaIssue[] } };
}
interface SchemaIssue {
  readonly code?: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

/** A name inside a JSON pointer (RFC 6901). */
const segment = (key: PropertyKey): string => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;

/** A schema's issue for each field that it is about; an unknown field is one of its own. */
function issuesOf({ code, path, message, keys }: SchemaIssue): Issue[] {
  const pointer = path.map(segment).join('');
  if (code === 'unrecognized_keys')
    return (keys ?? []).map((key) => ({ pointer: pointer + segment(key), detail: 'is not a known field' }));
  return [{ pointer, detail: message }];
}

const parser = <T>(schema: Schema<T>, reason: string, message: string): PipeTransform<unknown, T> => ({
  transform(value) {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw new VerdictError('client', reason, message, {
      fix: 'Correct what errors lists; every field is described at /docs.',
      issues: parsed.error.issues.flatMap(issuesOf),
    });
  },
});

/** A body by its schema, with defaults filled in. Throws 422 with a pointer to each wrong field. */
export const body = <T>(schema: Schema<T>): PipeTransform<unknown, T> => {
  const parse = parser(schema, 'invalid-body', 'The body is not as it should be.');
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

/** A query by its schema. Throws 422 with a pointer (`/` and the parameter's name) to each wrong one. */
export const query = <T>(schema: Schema<T>): PipeTransform<unknown, T> =>
  parser(schema, 'invalid-query', 'The query is not as it should be.');

/** A query's instants as dates. */
export const instants = ({
  createdAfter,
  createdBefore,
}: {
  createdAfter?: string | undefined;
  createdBefore?: string | undefined;
}): { createdAfter?: Date; createdBefore?: Date } => ({
  ...(createdAfter === undefined ? {} : { createdAfter: new Date(createdAfter) }),
  ...(createdBefore === undefined ? {} : { createdBefore: new Date(createdBefore) }),
});

/** A cursor that is no place in this tenant's list. */
export const noSuchPage = (): VerdictError =>
  new VerdictError('client', 'invalid-query', 'There is no such page.', {
    field: '/after',
    fix: 'Give the next of the page before, or leave it out to begin at the first.',
  });

const isId = (value: unknown): value is string => typeof value === 'string' && /^[\w-]{1,80}$/.test(value);

/** An id in the path. One that cannot be an id (and might hold what the database refuses) names nothing. @param none what there is then to be said */
export const idOr = (none: () => VerdictError): PipeTransform<unknown, string> => ({
  transform(value) {
    if (!isId(value)) throw none();
    return value;
  },
});

/** A room's id in the path. */
export const roomId = idOr(noSuchRoom);

export const noSuchSession = (): VerdictError =>
  new VerdictError('client', 'session-not-found', 'There is no such session.', {
    fix: 'Check the id; GET /v1/rooms/{id} shows the room’s session.',
  });

/** A session's id in the path. */
export const sessionId = idOr(noSuchSession);
