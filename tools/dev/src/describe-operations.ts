/** The parts of an OpenAPI document that the command line needs. */
export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
  readonly components: { readonly schemas?: Readonly<Record<string, Schema>> };
}
interface OpenApiOperation {
  readonly operationId: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly description?: string;
    readonly schema: Schema;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
}
interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
}

/** One field of a request. */
export interface Field {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean' | 'list' | 'object' | 'other';
  /** The first sentence of the description, without the closing dot. */
  readonly description: string;
  readonly nullable: boolean;
  /** The accepted words, of the field or of the items of a list. */
  readonly values: readonly string[];
  /** The fields of an object. */
  readonly fields: readonly Field[];
}

export interface DescribedOperation {
  readonly method: string;
  readonly path: string;
  readonly body: readonly Field[];
  readonly query: readonly Field[];
}

/** Lists the fields of every operation, so that the command line can take an option for each. */
export function describeOperations({ paths, components }: Document): Record<string, DescribedOperation> {
  const resolve = (schema: Schema): Schema => {
    const name = schema.$ref?.split('/').at(-1);
    const target = name === undefined ? undefined : components.schemas?.[name];
    return target === undefined
      ? schema
      : { ...resolve(target), description: schema.description ?? target.description };
  };
  const describe = (name: string, given: Schema): Field => {
    const schema = resolve(given);
    const options = (schema.anyOf ?? [schema]).map(resolve);
    const value = options.find(({ type }) => type !== 'null') ?? schema;
    const types = [value.type].flat();
    const items = value.items === undefined ? undefined : resolve(value.items);
    const fields = Object.entries(value.properties ?? {}).map(([inner, each]) => describe(inner, each));
    return {
      name,
      type:
        types.includes('object') || value.oneOf !== undefined
          ? fields.length > 0 || value.oneOf !== undefined
            ? 'object'
            : 'other'
          : types.includes('array')
            ? items?.type === 'object'
              ? 'other'
              : 'list'
            : ((['integer', 'boolean'] as const).find((type) => types.includes(type)) ?? 'string'),
      description: firstSentence(schema.description ?? value.description ?? ''),
      nullable: options.some(({ type }) => type === 'null') || types.includes('null'),
      values: value.enum ?? items?.enum ?? [],
      fields,
    };
  };
  return Object.fromEntries(
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId, parameters = [], requestBody }]) => [
        operationId,
        {
          method: method.toUpperCase(),
          path,
          body: Object.entries(resolve(requestBody?.content['application/json']?.schema ?? {}).properties ?? {}).map(
            ([name, schema]) => describe(name, schema),
          ),
          query: parameters
            .filter((parameter) => parameter.in === 'query')
            .map(({ name, schema, description }) =>
              describe(name, { ...schema, description: description ?? schema.description }),
            ),
        },
      ]),
    ),
  );
}

/** A sentence ends with a dot, a space and a capital letter, which "e.g. x" does not have. */
const firstSentence = (text: string): string =>
  (/^[^]*?\.(?=\s+[A-Z`]|\s*$)/.exec(text)?.[0] ?? text).trim().replace(/\.$/, '');
