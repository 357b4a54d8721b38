// What a Node program costs that imports nothing; import.mjs compares.
const { rss } = process.memoryUsage()
console.log(performance.now(), rss, process.resourceUsage().maxRSS * 1024)
