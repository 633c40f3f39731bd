// The kernel's floor: a server that only finds the end of each request's head and answers it with the same bytes, without a parser,
// a router or a clock. What it takes is what TCP on epoll takes; nothing that answers over TCP with one call per response can do with
// less. Listens on a free loopback port and prints it.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char RESPONSE[] =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: text/plain\r\n"
    "Date: Mon, 23 Nov 2026 13:10:12 GMT\r\n"
    "Connection: keep-alive\r\n"
    "Keep-Alive: timeout=60\r\n"
    "Content-Length: 13\r\n\r\n"
    "Hello, World!";

static int failed(const char *what) {
  perror(what);
  return 1;
}

int main(void) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (listener < 0 || bind(listener, (void *)&address, size) != 0) return failed("bind");
  if (listen(listener, 4096) != 0 || getsockname(listener, (void *)&address, &size) != 0) return failed("listen");
  int poll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
  if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event) != 0) return failed("epoll");
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);

  static char bytes[65536];
  for (;;) {
    int ready = epoll_wait(poll, events, 256, -1);
    for (int index = 0; index < ready; index++) {
      int fd = events[index].data.fd;
      if (fd == listener) {
        int client, on = 1;
        while ((client = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
          setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          event = (struct epoll_event){.events = EPOLLIN, .data.fd = client};
          epoll_ctl(poll, EPOLL_CTL_ADD, client, &event);
        }
        continue;
      }
      ssize_t left = recv(fd, bytes, sizeof bytes, 0);
      if (left <= 0) {
        close(fd);
        continue;
      }
      // The load generator sends each head in one piece, so one that ends in the next is none of this program's cases.
      for (char *next = bytes, *end; (end = memmem(next, left, "\r\n\r\n", 4)) != NULL; next = end + 4) {
        left -= end + 4 - next;
        send(fd, RESPONSE, sizeof RESPONSE - 1, MSG_NOSIGNAL);
      }
    }
  }
}
