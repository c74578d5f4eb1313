/** A process of `main.ts` that ends by itself, in an environment of its own: what a person sees who starts on something unusable. */
import { createMeshFolder, type Ended } from "./mesh.fixture.ts";

/** Arguments may name the folder that is made for it, which is gone afterwards. */
export async function startOn(environment: Readonly<Record<string, string>>, argumentsIn: (directory: string) => readonly string[]): Promise<Ended> {
  const folder = await createMeshFolder({ environment });
  try {
    return await folder.run(...argumentsIn(folder.directory)).ended;
  } finally {
    await folder.reap();
  }
}

export const devIn = (directory: string): readonly string[] => ["dev", "--no-city", "--data", directory];
export const startMatching = (): readonly string[] => ["start", "matching-worker", "--region", "ewr"];
