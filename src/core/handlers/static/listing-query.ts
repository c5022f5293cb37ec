/** What a listing can be sorted by. */
const SORT_KEYS = ['name', 'size', 'date'] as const;

/** One of {@link SORT_KEYS}. */
export type SortKey = (typeof SORT_KEYS)[number];

/** How a listing is sorted. */
export interface Order {
  readonly sort: SortKey;
  readonly order: 'asc' | 'desc';
}

/** What the query of a listing's URL asks for. */
export interface ListingQuery extends Order {
  readonly search: string;
  /** From 1. */
  readonly page: number;
}

/** The direction people expect first: names from the start, the largest and the newest on top. */
export function naturalOrder(sort: SortKey): Order['order'] {
  return sort === 'name' ? 'asc' : 'desc';
}

/** Reads `?sort=…&order=…&search=…&page=…`; whatever it does not know is as if it were not there. */
export function parseListingQuery(query: string, usual: SortKey): ListingQuery {
  const fields = new URLSearchParams(query);
  const sort = SORT_KEYS.find((key) => key === fields.get('sort')) ?? usual;
  const order = fields.get('order');
  const page = Number(fields.get('page'));
  return {
    sort,
    order: order === 'asc' || order === 'desc' ? order : naturalOrder(sort),
    search: fields.get('search') ?? '',
    page: Number.isSafeInteger(page) && page > 0 ? page : 1,
  };
}

/** The query that asks for this; what goes without saying is left out. */
export function formatListingQuery({ sort, order, search, page }: ListingQuery): string {
  const fields = new URLSearchParams({ sort, order });
  if (search !== '') fields.set('search', search);
  if (page > 1) fields.set('page', String(page));
  return `?${fields}`;
}
