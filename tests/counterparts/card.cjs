// Reads an Adaptive Card from the input with Microsoft's own reader; tells its texts, and what is
// wrong with it.
const cards = require("../../node_modules/adaptivecards/dist/adaptivecards.js");

const card = new cards.AdaptiveCard();
const context = new cards.SerializationContext(cards.Versions.v1_2);
card.parse(JSON.parse(require("node:fs").readFileSync(0, "utf8")), context);
const wrong = [];
for (let n = 0; n < context.eventCount; n += 1) wrong.push(context.getEventAt(n).message);
const texts = [];
for (let n = 0; n < card.getItemCount(); n += 1) {
  const block = card.getItemAt(n);
  if (!(block instanceof cards.TextBlock)) wrong.push(`not a text: ${block.getJsonTypeName()}`);
  texts.push(block.text);
}
const found = card.validateProperties().validationEvents.map((event) => event.message);
process.stdout.write(JSON.stringify({ texts, wrong: [...wrong, ...found] }));
