// Medians and spreads.

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

export function spread(numbers) {
  return { median: median(numbers), min: Math.min(...numbers), max: Math.max(...numbers) }
}

/**
 * Runs the contestants in turn, A B A B, so that what disturbs the machine for a while disturbs all of them:
 * one round to warm up, then the measured ones. `round` resolves with a number, or an object of numbers.
 */
export async function alternate(contestants, rounds, round) {
  const results = contestants.map(() => [])
  for (let number = -1; number < rounds; number++) {
    for (const [at, contestant] of contestants.entries()) {
      const result = await round(contestant)
      if (number >= 0) results[at].push(result)
    }
  }
  return results
}
