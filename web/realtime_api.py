"""placeholder"""
def realtime_routes(server): return []
