// What it costs with ipckit imported.
import 'ipckit'

const { rss } = process.memoryUsage()
console.log(performance.now(), rss, process.resourceUsage().maxRSS * 1024)
