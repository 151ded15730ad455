// Each mail that is named on the command line, as nodemailer's mailparser reads it.
const { readFileSync } = require("node:fs");
const { simpleParser } = require("mailparser");

(async () => {
  for (const path of process.argv.slice(2)) {
    const mail = await simpleParser(readFileSync(path));
    const files = mail.attachments
      .filter((file) => !file.related)
      .map((file) => file.filename || "");
    console.log(JSON.stringify([mail.text || "", mail.subject || "", files]));
  }
})();
