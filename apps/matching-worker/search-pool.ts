/** Candidate searches that are used again tick after tick: one for each ride that waits, made when first needed. */
import { type CandidateSearch, createCandidateSearch, type SearchSpace } from "./candidate-search.ts";
import { searchesKeptMax } from "./limits.ts";

export interface SearchPool {
  at(index: number): CandidateSearch;
  /** After a tick: lets go of what a rush needed beyond the bound. */
  trim(): void;
}

export function createSearchPool(space: SearchSpace): SearchPool {
  const searches: CandidateSearch[] = [];
  return {
    at: (index) => (searches[index] ??= createCandidateSearch(space)),
    trim() {
      if (searches.length > searchesKeptMax) searches.length = searchesKeptMax;
    },
  };
}
