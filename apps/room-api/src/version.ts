/** Of the API: what its OpenAPI document says. The path carries the major version. */
export const VERSION = '1.0.0';
