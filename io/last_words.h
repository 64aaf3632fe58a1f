// Says something to a peer and closes, so that the peer can still read it: a socket that is
// closed with unread bytes resets the connection and takes what was just sent along.
// Threads: the loop. Ends by itself within a second.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "base/types.h"

namespace colo::io {

// `kept` is released when the socket is closed; it may count open connections.
void say_last_words(boost::asio::ip::tcp::socket socket, Bytes words,
                    std::shared_ptr<void> kept = {});

}  // namespace colo::io
