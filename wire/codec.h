// How the bodies of messages are written and read; shared by the encoders of this room.
#pragma once

#include "wire/bytes.h"
#include "wire/frame.h"
#include "wire/messages.h"

namespace colo::wire {

template <class Write>
Bytes frame_of(Kind kind, FrameNumbers numbers, Write write) {
  Bytes frame;
  // Room for most messages at once. (And g++ 12 at -O3 takes growing from the header's own size for
  // a write out of bounds.)
  frame.reserve(256);
  frame.resize(header_bytes);
  ByteWriter writer(frame);
  write(writer);
  seal(frame, kind, numbers);
  return frame;
}

// Reads a message field by field and gives it out only if every field and the end were right.
template <class Message, class Read>
Result<Message> message_of(Kind kind, ByteView body, Read read) {
  ByteReader reader(name(kind), body);
  Message message;
  read(reader, message);
  if (auto whole = reader.finish(); !whole) return fail(whole.error());
  return message;
}

inline Bytes error_frame(Kind kind, const Error& error, FrameNumbers numbers) {
  return frame_of(kind, numbers, [&](ByteWriter& out) {
    out.text(error.word, text_bytes_max);
    out.text(error.reason, text_bytes_max);
    out.text(error.remedy, text_bytes_max);
  });
}
template <class Message>
Result<Message> error_message(Kind kind, ByteView body) {
  return message_of<Message>(kind, body, [](ByteReader& in, Message& message) {
    message.error.word = in.text("word", text_bytes_max);
    message.error.reason = in.text("reason", text_bytes_max);
    message.error.remedy = in.text("remedy", text_bytes_max);
  });
}

// A message that says all by its kind and header.
inline Bytes bare_frame(Kind kind, FrameNumbers numbers) {
  return frame_of(kind, numbers, [](ByteWriter&) {});
}
template <class Message>
Result<Message> bare_message(Kind kind, ByteView body) {
  return message_of<Message>(kind, body, [](ByteReader&, Message&) {});
}

}  // namespace colo::wire
