/** The version in the OpenAPI document. Paths carry the major version. */
export const VERSION = '1.0.0';
