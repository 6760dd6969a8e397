/**
 * Common emoji with the words one would look for; the first word is the `:shortcode:`. Enough for a stand-in, small
 * enough to read.
 */

import { matchRank } from "./model.js";

const TABLE = `
👍 thumbsup yes like +1 good|👎 thumbsdown no dislike -1 bad|❤️ heart love|🔥 fire hot|🎉 tada party celebrate hooray|👀 eyes look seen|✅ check done ok yes|❌ cross no wrong
🚀 rocket ship launch|🙏 pray thanks please|😂 joy laugh tears lol|😀 grinning smile happy|😄 smile happy|😅 sweat_smile relief|🙂 slight_smile|😉 wink|😊 blush|😍 heart_eyes love|😎 sunglasses cool
🤔 thinking hmm|😐 neutral|😴 sleeping tired|😢 cry sad|😭 sob sad|😡 rage angry|😱 scream shock|🤯 exploding_head mind blown|🥳 partying_face party|🤖 robot bot|👻 ghost|💀 skull dead
👋 wave hello hi bye|👏 clap applause|🙌 raised_hands|💪 muscle strong|🤝 handshake deal|👌 ok_hand|✌️ victory peace|🤞 fingers_crossed luck|☝️ point_up|👉 point_right|👇 point_down|🫡 salute aye
⭐ star favourite|✨ sparkles shiny new|💡 bulb idea|⚡ zap fast lightning|💥 boom|💯 hundred perfect|❓ question|❗ exclamation|⚠️ warning|🚨 rotating_light alarm|🔒 lock|🔑 key|🔔 bell
🐛 bug|🔧 wrench fix|🔨 hammer build|⚙️ gear settings|🧪 test_tube test|📦 package|📎 paperclip attach|📌 pushpin pin|📝 memo note write|📄 page document|📊 bar_chart|📈 chart_up growth|📉 chart_down|🗑️ wastebasket delete|🔍 mag search
⏳ hourglass wait|⏰ alarm_clock time|📅 calendar date|➕ plus add|➖ minus|➡️ arrow_right|⬅️ arrow_left|⬆️ arrow_up|⬇️ arrow_down|🔁 repeat retry again|🟢 green_circle online up|🟡 yellow_circle|🔴 red_circle down|🔵 blue_circle
⚓ anchor harbour boat|⛵ sailboat sail|🚢 ship boat|🧭 compass|🌊 ocean wave sea|🐳 whale docker|🐙 octopus|🦀 crab rust|🐍 snake python|🐧 penguin linux|🐶 dog|🐱 cat|🦊 fox|🌍 earth world|🌙 moon night|☀️ sun day|🌈 rainbow|❄️ snow cold
☕ coffee|🍵 tea|🍺 beer|🍕 pizza|🍰 cake|🍎 apple|🎵 music note|🎯 dart target goal|🏆 trophy win|🎁 gift|1️⃣ one|2️⃣ two|3️⃣ three`;

/** `[{char, words}]` in the order the picker shows them. */
export const EMOJI = TABLE.trim()
  .split(/[\n|]/)
  .map((entry) => {
    const [char, ...words] = entry.trim().split(" ");
    return { char, words };
  });

const BY_NAME = new Map(EMOJI.map(({ char, words }) => [words[0], char]));

export function emojiByName(name) {
  return BY_NAME.get(name) ?? null;
}

export function searchEmoji(query, most = Infinity) {
  const rank = ({ words }) =>
    Math.min(...words.map((word) => matchRank(word, query)).map((value) => (value < 0 || value > 2 ? 9 : value)));
  const ranked = EMOJI.map((entry, index) => ({ entry, index, rank: rank(entry) })).filter((item) => item.rank < 9);
  return ranked
    .sort((a, b) => a.rank - b.rank || a.index - b.index)
    .slice(0, most)
    .map((item) => item.entry);
}
