/** A JSON object from Janus. Its fields are unknown until one of the readers below has checked them. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Parses a JSON object. Returns undefined for any other text. */
export function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function readObject(from: JsonObject, field: string): JsonObject | undefined {
  const value = from[field];
  return isObject(value) ? value : undefined;
}

/** Returns the objects of a list, without entries of other types. */
export function readObjects(from: JsonObject, field: string): JsonObject[] {
  const value = from[field];
  return Array.isArray(value) ? value.filter(isObject) : [];
}

export function readText(from: JsonObject, field: string): string | undefined {
  const value = from[field];
  return typeof value === 'string' ? value : undefined;
}

/** Returns an identifier as text. Janus sends rooms and participants as numbers or strings (`string_ids`). */
export function readId(from: JsonObject, field: string): string | undefined {
  const value = from[field];
  return typeof value === 'number' ? String(value) : readText(from, field);
}

export function readNumber(from: JsonObject, field: string): number | undefined {
  const value = from[field];
  return typeof value === 'number' ? value : undefined;
}

export function readBoolean(from: JsonObject, field: string): boolean | undefined {
  const value = from[field];
  return typeof value === 'boolean' ? value : undefined;
}

/** Returns the string values of an object, such as SIP headers by name. */
export function readTexts(from: JsonObject, field: string): Readonly<Record<string, string>> {
  const entries = Object.entries(readObject(from, field) ?? {});
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

/** Removes the fields that are undefined, so that Janus applies its defaults. */
export function definedFields(fields: object): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
