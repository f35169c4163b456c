"""Graph algorithms of networkx, pure Python."""

import networkx as nx

from support import main


def run(n):
    """n graphs; a checksum."""
    total = 0
    for i in range(n):
        graph = nx.gnm_random_graph(150, 500, seed=i)
        total += len(nx.shortest_path(nx.path_graph(50), 0, 49))
        total += sum(nx.single_source_dijkstra_path_length(graph, 0).values())
        total += len(list(nx.connected_components(graph)))
        total += sum(nx.core_number(graph).values())
        total += round(sum(nx.betweenness_centrality(graph, k=20, seed=i).values()) * 1000)
        total += len(nx.minimum_spanning_tree(graph).edges)
    return total


main(run)
