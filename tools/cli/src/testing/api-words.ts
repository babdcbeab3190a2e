const API_WORDS =
  /\b(?:get|post|put|patch|delete) \/|\/v1\/|`|\b(?:http|body|headers?|query|status|etag|if-match|last-event-id|retry-after|ratelimit|content-type|media type|bearer|authorization|(?<!malformed )requests?(?! id))\b|(?<!--)\bidempotency-key/gi;
/** Fields in a file keep their names: `voice.privateKey`. */
const API_FIELDS = /(?<![.\w])[a-z]{2,}[A-Z]\w*/g;

/** Finds the words that only a user of the API knows. */
export const findApiWords = (text: string): readonly string[] => text.match(API_WORDS) ?? [];
/** Finds the names of fields of the API. */
export const findApiFields = (text: string): readonly string[] => text.match(API_FIELDS) ?? [];
