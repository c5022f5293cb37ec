import mime from 'mime';

/** Text in all but name: UTF-8 unless something inside says otherwise. */
const TEXT =
  /^text\/|^application\/(?:javascript|json|json5|xml|manifest\+json|wasm\+text|toml|yaml)$|[+](?:json|xml|yaml)$/;

/** What gets smaller though it is not text. */
const DENSE =
  /^application\/(?:wasm|vnd\.ms-fontobject|x-tar|rtf|postscript|x-sh|sql|graphql|x-ndjson)$|^font\/(?:ttf|otf|sfnt)$|^image\/(?:bmp|x-icon|vnd\.microsoft\.icon|x-portable-\w+)$|^model\/(?:obj|stl|gltf\+json|gltf-binary)$/;

/** Files people name without an extension and want to read. */
const PLAIN_NAMES =
  /^(?:readme|license|licence|copying|changelog|changes|authors|contributing|notice|makefile|dockerfile)$/i;

/** The `Content-Type` for a file's name, with its charset where it is text. */
export function contentTypeOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const type =
    mime.getType(`/${name}`) ?? (PLAIN_NAMES.test(name) ? 'text/plain' : 'application/octet-stream');
  return TEXT.test(type) ? `${type}; charset=utf-8` : type;
}

/** Whether compressing is worth it for a `Content-Type`. Pictures, sound, films and archives are compressed already. */
export function isCompressible(contentType: string): boolean {
  const type = contentType.split(';', 1)[0] as string;
  return TEXT.test(type) || DENSE.test(type);
}
